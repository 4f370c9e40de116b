import pytest
from page_grid import Grid
from page_project import Study


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Study:
    return Study(tmp_path_factory.mktemp("real"), rendered=False)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> Study:
    return Study(tmp_path_factory.mktemp("rendered"), rendered=True)


@pytest.fixture(scope="session")
def wide(tmp_path_factory) -> Grid:
    """As wide as the paper's grid, which takes a while to write: every test shares it."""
    return Grid(tmp_path_factory.mktemp("wide"), rendered=False, seeds=2)
