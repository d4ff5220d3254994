"""How candidates are put in order: `order(lineup, ranking) -> places` of each strategy.

`rank(candidates, ranking)` of a strategy orders candidates that have their costs.
"""

from collections.abc import Callable

from routing.plan.lineup import Lineup
from routing.plan.ranking import Ranking
from routing.plan.strategies import (
    balanced,
    cheapest,
    fastest,
    priority,
    proven,
    throughput,
    weighted,
)

Order = Callable[[Lineup, Ranking], list[int]]

STRATEGIES: dict[str, Order] = {
    "balanced": balanced.order,
    "cheapest": cheapest.order,
    "priority": priority.order,
    "weighted": weighted.order,
    "fastest": fastest.order,
    "throughput": throughput.order,
}
ORDERS: dict[str, Order] = {**STRATEGIES, "good_enough": proven.order}  # balanced, and says what is
