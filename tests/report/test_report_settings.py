"""The settings of a study as the page lists them."""

import pytest

from unknot.report._settings import _as_text


@pytest.mark.parametrize("nothing", [None, [], (), {}])
def test_a_setting_that_is_nothing_says_so(nothing):
    assert _as_text(nothing) == "none"
    assert _as_text({"kept": nothing, "k": 6}) == "kept: none, k: 6"
