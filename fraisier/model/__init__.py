"""The words of the product as frozen values and Protocols.

Nothing here reads a clock, a file, a database or the network; everything above may import it.
"""
