from topdb.reporting.drawing.rows import grouped


def test_rows_stand_below_their_data_set_and_none_shares_a_place():
    rows = grouped({"a": ["x", "y"], "empty": [], "b": ["x"]})
    assert list(rows.heads) == ["a", "b"]
    every = [*rows.heads.values(), *rows.places.values()]
    assert len(set(every)) == len(every)
    assert rows.heads["a"] < rows.places["a", "x"] < rows.places["a", "y"] < rows.heads["b"]
    assert rows.heads["b"] < rows.places["b", "x"] < rows.length
    assert grouped({}).length == 1.0
