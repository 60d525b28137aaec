"""Measurements, no part of what is installed."""
