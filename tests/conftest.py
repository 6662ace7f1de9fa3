"""Settings of all tests."""

import cv2
import hypothesis
import numba
import torch

# Many small operations on few cores: threads that wait for each other cost more than they bring.
torch.set_num_threads(1)
cv2.setNumThreads(1)
numba.set_num_threads(1)

# The same examples each time, and no limit to how long one may take on a busy machine.
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")
