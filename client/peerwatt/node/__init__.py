"""Local chains: the embedded one of the study and the tests."""
