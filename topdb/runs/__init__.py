"""Runs: trained, imported, extracted, watched, checked and estimated."""
