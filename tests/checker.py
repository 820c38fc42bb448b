"""What checks the types of arguments and results while the tests run."""

from beartype import BeartypeConf, beartype

# An int may stand where a float is meant, as type checkers take it.
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
