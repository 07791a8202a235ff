"""Measurements that anyone can repeat, each with one command."""
