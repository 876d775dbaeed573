"""The little GraphQL that the velog simulator understands."""

import pytest

from simulators.graphql import QueryError, project, root_field

POSTS = "query velogPosts($input: GetPostsInput!) { posts(input: $input) { id user { username } } }"


def test_the_root_field_and_what_it_selects() -> None:
    assert root_field(POSTS) == ("posts", {"id": {}, "user": {"username": {}}})
    assert root_field("{currentUser{id}}") == ("currentUser", {"id": {}})


@pytest.mark.parametrize("query", ["", "query", "{", "{ a { }", "{ { a } }", "query A($b: C! { posts }", "{ a b }"])
def test_what_is_no_query_is_refused(query: str) -> None:
    with pytest.raises(QueryError):
        root_field(query)


def test_answers_are_cut_to_the_selection() -> None:
    value = [{"id": 1, "title": "t", "user": {"username": "u", "email": "e"}}]
    assert project({"id": {}, "user": {"username": {}}}, value, "Post") == [{"id": 1, "user": {"username": "u"}}]
    assert project({"id": {}}, None, "Post") is None
    with pytest.raises(QueryError, match='Cannot query field "likes" on type "Stats"'):
        project({"likes": {}}, {"total": 1}, "Stats")
