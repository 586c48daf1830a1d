"""Whether a search found anything relevant, so that no question is answered from unrelated documents."""

import math

# Logistic regression over two knowledge bases (a bank's, and the sandbox company's): questions on their subjects
# against messages on foreign ones, both equally likely. Whether both searches agree on a document added nothing.
BIAS = -9.5
COSINE = 21.5
COVERAGE = 2.3


def relevance_of(cosine: float, coverage: float) -> float:
    """0 to 1.

    `cosine`: of the nearest passage (-1 to 1). `coverage`: share of the question's words that a top passage has.
    """
    return 1 / (1 + math.exp(-(BIAS + COSINE * cosine + COVERAGE * coverage)))
