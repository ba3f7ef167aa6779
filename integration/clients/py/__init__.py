"""The parts of drive.py."""
