"""Implements alternatives to this system, each as its own documentation recommends."""
