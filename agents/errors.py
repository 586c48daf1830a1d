"""What can stop a turn."""


class ModelUnavailable(Exception):
    """The model's endpoint failed, took too long or answered nonsense, also after the retries."""


class BudgetSpent(Exception):
    """The turn used up one of its budgets (model calls, repeats of one call, wall time)."""
