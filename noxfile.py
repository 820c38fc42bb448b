"""The project's commands, for a person and for CI: they run in the environment that is active."""

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "tests"]


@nox.session
def lint(session: nox.Session) -> None:
    """Check format and style."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of the package."""
    session.run("mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; what follows -- goes to pytest."""
    session.run("pytest", *session.posargs)


@nox.session
def notebook(session: nox.Session) -> None:
    """Run the examples in their quick form; nothing is stored."""
    session.run("jupyter", "execute", "examples/lab.ipynb", env={"UNKNOT_QUICK": "1"})


@nox.session
def examples(session: nox.Session) -> None:
    """Run the examples in full, and store what they show."""
    session.run("python", "examples/store.py")


@nox.session
def baselines(session: nox.Session) -> None:
    """Draw the images that the tests of the figures compare with."""
    session.run("pytest", "tests/figures", "--mpl-generate-path=tests/figures/baseline")


@nox.session
def web(session: nox.Session) -> None:
    """Check and build the page's program, and compare it with the one that is committed."""
    with session.chdir("web"):
        session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
        session.run("npm", "run", "check", external=True)
        session.run("npm", "run", "build", external=True)
    session.run("git", "diff", "--exit-code", "--", "src/unknot/report/static", external=True)
