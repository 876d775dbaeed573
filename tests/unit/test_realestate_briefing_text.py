"""Briefings as posts: every change once, whole lines, never over a channel's limit."""

from hypothesis import given, settings
from hypothesis import strategies as st

from app.clients.webhooks import CHANNELS
from app.domains.realestate.briefing_text import Form, News, posts, tally

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
TEXTS = st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=50)


@st.composite
def changes(draw: st.DrawFn) -> list[News]:
    complexes = draw(st.lists(NAMES, min_size=1, max_size=4))
    kinds = st.sampled_from(["NEW", "REMOVED", "PRICE_UP", "PRICE_DOWN", "RELISTED", "SOMETHING"])
    return [
        News(
            id=number,
            complex_id=str(place),
            complex_name=complexes[place],
            change_type=draw(kinds),
            trade_type=draw(TEXTS),
            building_name=draw(TEXTS),
            floor_info=draw(TEXTS),
            old_price=draw(TEXTS),
            new_price=draw(TEXTS),
            amount=draw(st.none() | st.integers(-(10**6), 10**6)),
        )
        for number in range(draw(st.integers(0, 40)))
        for place in [draw(st.integers(0, len(complexes) - 1))]
    ]


@settings(deadline=None, max_examples=60)
@given(changes(), st.sampled_from(sorted(CHANNELS)))
def test_each_change_stands_in_one_post_that_a_channel_takes(news: list[News], name: str) -> None:
    channel = CHANNELS[name]
    made = posts(
        news, opening="[부동산 브리핑]", closing=["끝"], form=Form(channel.limit, channel.size, channel.escape)
    )
    assert sorted(change for post in made for change in post.changes) == [item.id for item in news]
    for post in made:
        assert channel.size(post.text) <= channel.limit
        lines = post.text.split("\n")
        assert len(post.changes) == sum(line.startswith("· [") for line in lines)
        if post.changes:
            assert any(line.startswith("■ ") for line in lines)
    assert made[0].text.startswith("[부동산 브리핑]")
    assert made[-1].text.endswith("끝")


def test_what_a_briefing_says() -> None:
    news = [
        News(1, "109208", "시범반도", "NEW", "매매", "115A", "1503동", "27/40", new_price="11억 5,000"),
        News(
            2, "109208", "시범반도", "PRICE_DOWN", "월세", "84A", "1501동", "3/40",
            old_price="5,000/140", new_price="5,000/130", amount=-10, percent=-7.14,
        ),
        News(3, "7", "가람마을", "REMOVED", "전세", old_price="3억"),
        News(4, "7", "가람마을", "PRICE_UP", "매매", old_price="3억", new_price="5억", amount=20000, percent=66.67),
    ]  # fmt: skip
    (post,) = posts(news, opening="브리핑", form=Form(2000))
    assert post.text.split("\n") == [
        "브리핑",
        "■ 가람마을 (7): 가격 상승 1, 삭제 1",
        "· [가격 상승] 매매 3억 → 5억 (+2억, +66.67%)",
        "· [삭제] 전세 3억",
        "■ 시범반도 (109208): 가격 하락 1, 신규 1",
        "· [가격 하락] 월세 84A 1501동 3/40 5,000/140 → 5,000/130 (-10만, -7.14%)",
        "· [신규] 매매 115A 1503동 27/40 11억 5,000",
    ]
    assert post.changes == (4, 3, 2, 1)
    assert tally(news) == "가격 하락 1, 가격 상승 1, 신규 1, 삭제 1"


def test_a_complex_that_needs_a_second_post_is_named_there_again() -> None:
    news = [News(n, "7", "가람마을", "NEW", "매매", new_price="3억") for n in range(30)]
    first, second, *_ = posts(news, opening="브리핑", form=Form(200))
    assert "■ 가람마을 (7): 신규 30\n" in first.text
    assert second.text.startswith("■ 가람마을 (7): 신규 30 (계속)\n· [신규]")


def test_a_listings_text_mentions_nobody_and_formats_nothing() -> None:
    news = [News(1, "7", "@everyone <@1>", "NEW", "*매매*", "[a](http://b)", "줄\n바꿈", new_price="<!channel> & 3억")]
    discord, slack = (
        posts(news, opening="브리핑", form=Form(c.limit, c.size, c.escape))[0].text
        for c in (CHANNELS["discord"], CHANNELS["slack"])
    )
    assert r"\@everyone \<\@1\>" in discord
    assert r"\*매매\* \[a\](http://b) 줄 바꿈" in discord
    assert "&lt;!channel&gt; &amp; 3억" in slack
