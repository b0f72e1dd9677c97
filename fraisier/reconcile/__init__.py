"""Joins the half that thinks with the half that acts.

desire -> observe -> plan (pure) -> gate -> record intent -> execute step by step -> verify health
-> record outcome; `cycle.py` reads like that sentence.
"""
