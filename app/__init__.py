"""How people reach Handrail: settings, wiring, HTTP, commands."""

import os

# The matrices of a turn are small: linear algebra on several threads waits for its threads several times longer than it
# calculates, and the more so the busier the machine. It has to be said before numpy is loaded, so it stands here.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
