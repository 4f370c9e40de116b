import pytest
from page_project import Study


@pytest.fixture(scope="session")
def real(tmp_path_factory) -> Study:
    return Study(tmp_path_factory.mktemp("real"), rendered=False)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory) -> Study:
    return Study(tmp_path_factory.mktemp("rendered"), rendered=True)
