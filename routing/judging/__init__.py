"""Quality of experiments: pairs of answers, a blind judge, and what may be concluded."""
