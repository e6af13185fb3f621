"""How many labels cleanlab estimates to be wrong, from labels and probabilities in a file: prints the number."""

from __future__ import annotations

import sys

import numpy as np
from cleanlab.count import num_label_issues

if __name__ == "__main__":
    given = np.load(sys.argv[1], allow_pickle=False)
    count = num_label_issues(given["labels"], given["probabilities"], estimation_method="off_diagonal_calibrated")
    print(int(count))
