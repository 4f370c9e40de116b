"""torchreid as an oracle, where it is installed."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from retrieval.strategies import clustered

from topdb.retrieval import rank_distances, rerank_distances, squared_distances


def torchreid_file(name):
    """A file of torchreid by its place, since importing the package asks for all its extras."""
    for folder in map(Path, sys.path):
        path = folder / "torchreid" / "reid" / name
        if path.is_file():
            spec = importlib.util.spec_from_file_location(f"peer_{path.stem}", path)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
    pytest.skip("needs torchreid from PyPI (pip install --no-deps torchreid)")
    return None


@pytest.mark.filterwarnings("ignore:Cython evaluation")
def test_scores():
    case = clustered(gallery=400)
    distances = squared_distances(*case[:2])
    peer = torchreid_file("metrics/rank.py")
    query_pids, gallery_pids, query_camids, gallery_camids = case.labels
    cmc, mean = peer.eval_market1501(
        distances, query_pids, gallery_pids, query_camids, gallery_camids, 20
    )
    result = rank_distances(distances, *case.labels)
    assert result.mAP == pytest.approx(mean, abs=1e-12)
    np.testing.assert_allclose(result.cmc, cmc, atol=1e-6)


def test_reranked_distances():
    case = clustered(gallery=400)
    query, gallery = case[:2]
    peer = torchreid_file("utils/rerank.py")
    expected = peer.re_ranking(
        squared_distances(query, gallery),
        squared_distances(query, query),
        squared_distances(gallery, gallery),
    )
    np.testing.assert_allclose(rerank_distances(query, gallery), expected, rtol=0, atol=1e-6)
