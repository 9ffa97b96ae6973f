"""The checks behind ``tortie.model.validation``, one module per part of the model.

A check takes a resource or a part of one and yields what is wrong with it, its paths relative to what it was given.
"""
