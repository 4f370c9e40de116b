"""Drawn pedestrians in the folders and file names of the published data sets."""
