"""The scorer's figures, with where each comes from: measured on the data, or chosen. Pure."""

# How hard a task is for weaker models before labels say otherwise: a factor on the gap. Chosen.
HARD = {
    "code": 1.3, "maths": 1.3, "choice": 1.0, "chat": 0.9, "write": 0.9,
    "extract": 0.7, "translate": 0.7, "summarise": 0.7, "agent": 1.3,
}  # fmt: skip
HARD_WEIGHT = 20  # labels that this counts as
USES_DIFFICULTY = frozenset({"choice", "code", "maths"})  # elsewhere the prompt misleads
LEAST_FACTOR, PER_DIFFICULTY = 0.3, 0.4

PRIOR_WEIGHT = 20  # judged pairs that a model's prior quality counts as
SWEEPS = 30  # of the solution of all pairs
HALF_LIFE_DAYS = 60  # after which a label counts half
RATING_WEIGHT = 0.25  # of a user's score, in judged pairs
LEAST_MEASURED = 20  # judged pairs, faded, from which a rate against a rival is a measurement

LEAST_JUDGED, LEAST_CONSISTENT = 30, 0.60  # pairs; the same winner in both orders, or no judge
LEAST_RIGHT = 4  # of the five canaries, or no judge

WORDS_LIMIT = 0.3  # the words of a prompt move the gap by no more
WORDS_FROM = 200  # labels from which they may count, and over which they must have helped
WORDS_RATE = 0.1  # of learning, and what keeps its first steps finite

CLIP_FEATURE = 4.0  # standard deviations
LEAST_DIFFICULTY, MOST_DIFFICULTY = -2.0, 2.5
RIDGE = 100.0
