"""The page about what an audit catches says what the tests hold."""

from __future__ import annotations

from audit.proofs_page import PAGE, page


def test_proofs_page__tables__are_the_tests() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
