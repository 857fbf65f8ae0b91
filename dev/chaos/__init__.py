"""Injects faults into a running system and checks that everything acknowledged is stored."""
