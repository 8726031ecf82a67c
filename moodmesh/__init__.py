"""moodmesh reads a facial expression from a webcam and finds songs that suit it."""

import os

__version__ = "0.1.0"

# mediapipe prints its own start-up log for every landmarker otherwise. Set before its import.
os.environ.setdefault("GLOG_minloglevel", "2")
