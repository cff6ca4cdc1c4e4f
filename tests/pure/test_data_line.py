"""What stands on a line of ``%ray_data``, and what a cell below ``%%ray_data`` is; no cluster."""

from __future__ import annotations

import ast
from typing import Any

import pytest
from IPython.core.error import UsageError

from ray_magics.cell.source import CellSource
from ray_magics.verbs.data.expression import read_expression
from ray_magics.verbs.data.operation import check_options
from ray_magics.verbs.data.options import Concurrency, DataOptions, batch_size, concurrency
from ray_magics.verbs.data.plan import make_plan
from ray_magics.verbs.data.transform import Transform, make_callable, read_transform


class Range:
    """Stands for ``ray.data.range`` where nothing of Ray is needed."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Range) and other.n == self.n


SCOPE = {"range": Range, "read_csv": lambda path: ("csv", path), "from_items": list}


def value_of(text: str, namespace: dict[str, Any] | None = None) -> Any:
    return read_expression(text).make("<line>", {} if namespace is None else namespace, SCOPE)()


def test_names_of_ray_data_are_in_scope_and_those_of_the_notebook_come_first() -> None:
    assert value_of('read_csv("trips")') == ("csv", "trips")
    assert value_of("read_csv(1)", {"read_csv": lambda x: x + 1}) == 2


def test_range_is_rays_but_where_the_code_iterates_over_it() -> None:
    assert value_of("range(3)") == Range(3)
    assert value_of("from_items([{'x': i} for i in range(2)])") == [{"x": 0}, {"x": 1}]
    assert (
        value_of("from_items(range(2))") == [0, 1]
        and value_of("sum(range(3))") == 3
        and value_of("[*range(2)]") == [0, 1]
    )
    assert value_of("[range(1), max(range(3))]") == [Range(1), 2]


def test_a_function_of_the_line_reads_the_notebook_of_later() -> None:
    namespace = {"top": 1}
    scale = value_of("lambda x: x * top", namespace)
    namespace["top"] = 5
    assert scale(2) == 10


@pytest.mark.parametrize(
    ("text", "targets", "unpacks"),
    [
        *(("ds = 1", ("ds",), False), ("a, b = pair", ("a", "b"), True), ("[a, b] = pair", ("a", "b"), True)),
        *(("a = b = 1", ("a", "b"), False), ("(a,) = pair", ("a",), True), ("f(x=1)", (), False)),
    ],
)
def test_what_a_line_binds(text: str, targets: tuple[str, ...], unpacks: bool) -> None:
    expression = read_expression(text)
    assert (expression.targets, expression.unpacks) == (targets, unpacks)


def test_values_are_bound_as_python_binds_them() -> None:
    assert read_expression("a, b = x").named_values([1, 2]) == {"a": 1, "b": 2}
    assert read_expression("a = b = x").named_values(3) == {"a": 3, "b": 3}
    with pytest.raises(ValueError, match="3 values for the 2 names a, b"):
        read_expression("a, b = x").named_values([1, 2, 3])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs an expression: %ray_data ds = read_parquet"),
        ("ds.count(", "was never closed"),
        ("import x", "takes one expression"),
        ("a = 1; b = 2", "takes one expression"),
        ("a += 1", "takes one expression"),
        ("ds.x = 1", "binds names alone"),
        ("a, *b = x", "binds names alone"),
        ("f(y := 2)", "takes no :="),
        ("await x", "takes no :=, await"),
    ],
)
def test_what_is_no_expression_says_what_to_type(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_expression(text)


# --- the cell


def transform_of(code: str, operation: str = "map_batches", **namespace: Any) -> tuple[Transform, Any]:
    source = CellSource("\n" + code, name="In[4]", filename="<cell>")
    transform = read_transform(source, operation, namespace)
    return transform, make_callable(transform, source, namespace)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("batch['x'] = batch['x'] + 1", {"x": 2}),
        ("{'y': batch['x']}", {"y": 1}),
        ("y = batch['x']\nbatch = {'z': y}", {"z": 1}),
        ("batch.update(y=2)", {"x": 1, "y": 2}),
        ("batch = {'a': 1}\nbatch", {"a": 1}),
        ("import math\nif batch:\n    batch['x'] = math.floor(2.5)", {"x": 2}),
        ("from __future__ import annotations\n{'a': batch['x']}", {"a": 1}),
    ],
)
def test_statements_are_about_the_batch(code: str, result: object) -> None:
    transform, function = transform_of(code)
    assert transform.form == "statements" and function({"x": 1}) == result and function.__name__ == "In[4]"


def test_the_words_of_the_operation_are_those_of_its_data() -> None:
    assert transform_of("row['x'] > 0", "filter")[1]({"x": 1}) is True
    assert transform_of("[row, row]", "flat_map")[1]({"x": 1}) == [{"x": 1}] * 2
    assert transform_of("{'n': len(group['x'])}", "map_groups")[1]({"x": [1, 2]}) == {"n": 2}


def test_a_cell_reads_the_notebook_as_it_is_now_and_binds_nothing_there() -> None:
    namespace: dict[str, Any] = {"top": 2}
    source = CellSource("\nhalf = top / 2\nbatch * half", name="In[1]", filename="<cell>")
    function = make_callable(read_transform(source, "map_batches", namespace), source, namespace)
    namespace["top"] = 100
    assert function(3) == 3.0 and namespace == {"top": 100}


def test_the_last_function_or_class_is_the_transform() -> None:
    transform, function = transform_of("def half(x): return x / 2\ndef scale(anything): return half(anything)")
    assert (transform.form, transform.name, function(4)) == ("function", "scale", 2.0)
    transform, kind = transform_of(
        "class Add:\n    def __init__(self, n): self.n = n\n    def __call__(self, b): return b + self.n"
    )
    assert (transform.form, transform.name, transform.is_stateful, kind(3)(4)) == ("class", "Add", True, 7)


@pytest.mark.parametrize(
    ("code", "form"),
    [
        ("async def ask(batch): return batch", "function"),
        ("class Ask:\n    async def __call__(self, batch): return batch", "class"),
    ],
)
def test_a_transform_may_await(code: str, form: str) -> None:
    assert transform_of(code)[0].form == form


def test_a_script_leaves_alone_the_names_that_a_part_of_the_expression_binds() -> None:
    expression = read_expression("from_items([1]).filter(lambda col: col['item'] > 0).filter(expr=col('x') > lit(1))")
    assert expression.qualified({}) == (
        "ray.data.from_items([1]).filter(lambda col: col['item'] > 0)"
        ".filter(expr=col('x') > ray.data.expressions.lit(1))"
    )
    assert expression.imports({}) == ["from ray.data.expressions import col"]


def test_an_error_of_the_cell_has_its_line() -> None:
    _, function = transform_of("x = 1\nbatch['nope']")
    with pytest.raises(KeyError) as caught:
        function({})
    assert caught.traceback[-1].lineno + 1 == 3 and str(caught.traceback[-1].path) == "<cell>"


@pytest.mark.parametrize(
    ("code", "operation", "message"),
    [
        ("", "map_batches", "The cell is empty: write below %%ray_data what is done to batch"),
        ("x = 1", "map", "does not use row"),
        ("batch['x'] * topp", "map_batches", '"topp" on line 2, which is not defined'),
        ("x = row['x']", "filter", "whether the row stays"),
        ("row['x'] = 1", "flat_map", "which rows come of it"),
        ("class Empty:\n    pass", "map", "has no __call__"),
    ],
)
def test_a_cell_that_is_no_transform_says_so(code: str, operation: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        transform_of(code, operation)


def test_a_value_that_cannot_travel_is_named() -> None:
    from ray_magics.verbs.data.transform import check_picklable

    namespace = {"numbers": (number for number in "ab")}  # no lock: once Serve is imported, Ray pickles these
    source = CellSource("\nnext(numbers)\nbatch", name="In[1]", filename="<cell>")
    with pytest.raises(UsageError, match=r'"numbers" .*line 2'):
        check_picklable(read_transform(source, "map_batches", namespace), namespace)


# --- options


def test_concurrency_is_a_number_or_a_range() -> None:
    assert concurrency("2", "--concurrency") == Concurrency(2, 2) and concurrency("1:4", "") == Concurrency(1, 4)
    assert Concurrency(2, 2).compute(False) == ("TaskPoolStrategy", {"size": 2})
    assert Concurrency(1, 4).compute(True) == ("ActorPoolStrategy", {"min_size": 1, "max_size": 4})
    for text in ("0", "4:1", "many"):
        with pytest.raises(UsageError, match="--concurrency"):
            concurrency(text, "--concurrency")
    assert batch_size("whole", "") == "whole" and batch_size("12", "") == 12


@pytest.mark.parametrize(
    ("code", "operation", "given", "more", "message"),
    [
        ("row", "map", {"batch_size": 3}, {}, "--batch-size is for --op map_batches"),
        ("row", "map", {"batch_format": "pandas"}, {}, "--batch-format is for --op map_batches and map_groups"),
        ("batch", "map_batches", {"fn_constructor_args": [1]}, {}, "for a class, which the cell is not"),
        ("group", "map_groups", {}, {}, "needs --key COLUMN"),
        ("row", "map", {}, {"key": "city"}, "--key is for --op map_groups"),
        ("batch", "map_batches", {"compute": 1}, {"concurrency": Concurrency(2, 2)}, "say the same thing"),
        ("batch", "map_batches", {}, {"concurrency": Concurrency(1, 4)}, "is for a class"),
    ],
)
def test_options_that_the_operation_does_not_take(
    code: str, operation: str, given: dict[str, Any], more: dict[str, Any], message: str
) -> None:
    transform, _ = transform_of(code, operation)
    with pytest.raises(UsageError, match=message):
        check_options(transform, given, more.get("concurrency"), more.get("key"))


def test_a_value_has_one_name_and_a_line_has_no_options_of_cells() -> None:
    with pytest.raises(UsageError, match='--into a and "b =" both name the value'):
        make_plan(DataOptions(into="a"), read_expression("b = 1"))
    with pytest.raises(UsageError, match="--num-cpus is for a cell below %%ray_data"):
        make_plan(DataOptions(ray={"num_cpus": 1}), read_expression("ds"))
    assert make_plan(DataOptions(into="a"), read_expression("1")).targets == ("a",)
    assert ast.unparse(make_plan(DataOptions(), read_expression("x = f(1)")).expression.expression) == "f(1)"
