from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from topdb.config import RenderSettings
from topdb.drawn.publishing import plan_shots


@st.composite
def settings(draw: st.DrawFn) -> RenderSettings:
    train, test = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    cameras = draw(st.integers(2, 6))
    return RenderSettings(
        seed=draw(st.integers(0, 2**32)),
        train_people=train,
        test_people=test,
        cameras=cameras,
        train_images=draw(st.integers(2 * train, 40)),
        query_images=draw(st.integers(test, test * cameras)),
        gallery_images=draw(st.integers(2 * test, 40)),
        distractors=draw(st.integers(0, 9)),
        junk=draw(st.integers(0, 9)),
    )


@given(settings())
def test_plans_keep_their_promises(given: RenderSettings) -> None:
    shots = plan_shots(given)
    splits = Counter(shot.split for shot in shots)
    assert splits["train"] == given.train_images
    assert splits["query"] == given.query_images
    assert splits["gallery"] == given.gallery_images + given.distractors + given.junk
    assert len({(s.pid, s.camid, s.number) for s in shots}) == len(shots)
    seen: dict[tuple[str, int], set[int]] = defaultdict(set)
    for shot in shots:
        seen[shot.split, shot.pid].add(shot.camid)
    for shot in shots:
        if shot.split == "query":
            assert seen["gallery", shot.pid] - {shot.camid}
        if shot.split == "train":
            assert len(seen["train", shot.pid]) >= 2
