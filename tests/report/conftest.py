"""Shared studies, pages and browser."""

import pytest
from report_browser import Opened, chromium
from report_studies import full_study

from unknot.report import build_payload, write_report


@pytest.fixture(scope="session")
def study():
    return full_study()


@pytest.fixture(scope="session")
def payload(study):
    return build_payload(study)


@pytest.fixture(scope="session")
def report(study, tmp_path_factory):
    return write_report(study, tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def browser():
    """Chromium, launched once per module."""
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def shared(browser, report):
    """The report without animation, opened once per module; a module may have its own `report`."""
    page = Opened(browser, report, reduced_motion="reduce")
    page.check()
    yield page
    page.check()
    page.close()


@pytest.fixture
def opened(shared):
    """The shared report in its initial state."""
    shared.reset()
    yield shared
    shared.check()
