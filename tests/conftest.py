"""Settings of all tests."""

import cv2
import numba
import torch

# Many small operations on few cores: threads that wait for each other cost more than they bring.
torch.set_num_threads(1)
cv2.setNumThreads(1)
numba.set_num_threads(1)
