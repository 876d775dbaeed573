"""The demo world as plain data: velog users with posts, complexes with listings. Seeded, the same on every machine.

Everything here is invented but complex 109208's public figures. The command line prints what other programs need
of it, so that none has to import this package:

    python -m simulators world velog-users    JSON list: velog_uuid, username, email, access_token, refresh_token, group_id
    python -m simulators world complexes      JSON list: complex_id, complex_name
    python -m simulators world land-token     a bearer token for the Naver Land simulator
"""

import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from simulators import tokens

SEED = 20251224
#: Posts and confirmations are dated back from here, so that the world doesn't depend on the day it is made.
ANCHOR = datetime(2026, 11, 1, tzinfo=UTC)
_NAMESPACE = uuid.UUID("6f1b8f3e-0c58-4a7b-9d6f-3a2f1c9be001")

ACCESS_TOKEN_SECONDS = 24 * 3600
REFRESH_TOKEN_SECONDS = 30 * 24 * 3600
LAND_TOKEN_SECONDS = 3 * 3600

_USERS = (("haru_dev", 63), ("minji.log", 34), ("dohyun", 18), ("seoyeon_b", 7))
_SUBJECTS = ("Celery", "Redis", "Django", "FastAPI", "비동기", "PostgreSQL", "타입 힌트", "테스트", "배포", "관측성")
_ENDINGS = ("시작하기", "삽질 기록", "운영에서 배운 것", "다시 보기", "성능 측정", "버전 올리기", "내부 들여다보기")

_COMPLEXES = (
    ("109208", "시범반도유보라아이비파크4.0", 740, 6, "20180129", 104_000, 50_000, 46),
    ("900001", "라이브비트숲마을1단지", 512, 5, "20150610", 72_000, 38_000, 24),
    ("900002", "라이브비트숲마을2단지", 988, 11, "20160921", 81_000, 42_000, 38),
    ("900003", "데모호수공원자이", 1420, 14, "20201105", 128_000, 61_000, 31),
    ("900004", "데모역푸르지오", 366, 4, "20090318", 58_000, 33_000, 12),
    ("900005", "데모강변래미안", 804, 9, "20230830", 171_000, 88_000, 27),
)


@dataclass(frozen=True)
class VelogUser:
    """A velog account; `group_id` decides which key encrypts its tokens in a database."""

    id: str
    username: str
    email: str | None
    thumbnail: str | None
    group_id: int


@dataclass
class Post:
    """A post; `views` and `likes` are totals, `released_at` is null for what was never released."""

    id: str
    user_id: str
    title: str
    url_slug: str
    likes: int
    views: int
    views_per_day: int
    released_at: datetime | None
    is_private: bool = False
    is_temp: bool = False


def _id(*parts: object) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(map(str, parts))))


def users() -> list[VelogUser]:
    """The demo accounts."""
    return [
        VelogUser(
            id=_id("user", name),
            username=name,
            email=f"{name.replace('.', '-')}@example.com" if index else None,
            thumbnail=f"https://example.com/{name}.png",
            group_id=101 + index * 13,
        )
        for index, (name, _) in enumerate(_USERS)
    ]


def posts() -> list[Post]:
    """All users' posts; each user has one that only the owner sees and one that nobody does."""
    rng = random.Random(SEED)
    made: list[Post] = []
    for user, (_, count) in zip(users(), _USERS, strict=True):
        for number in range(count):
            subject, ending = rng.choice(_SUBJECTS), rng.choice(_ENDINGS)
            made.append(
                Post(
                    id=_id("post", user.username, number),
                    user_id=user.id,
                    title=f"{subject} {ending} #{number + 1}",
                    url_slug=f"{subject}-{ending}-{number + 1}".replace(" ", "-"),
                    likes=rng.randrange(0, 60),
                    views=rng.randrange(20, 9000),
                    views_per_day=rng.randrange(0, 40),
                    released_at=ANCHOR - timedelta(days=7 * number, minutes=rng.randrange(0, 1440)),
                    is_private=number == 3,
                    is_temp=number == 5,
                )
            )
    return made


def velog_tokens(user_id: str, now: float) -> tuple[str, str]:
    """A fresh (access, refresh) pair, issued at `now`: 24 hours and 30 days."""
    return velog_token(user_id, now, "access_token"), velog_token(user_id, now, "refresh_token")


def velog_token(user_id: str, now: float, subject: str, seconds: int | None = None) -> str:
    """One velog token; `subject` is "access_token" or "refresh_token", `seconds` its life from `now`."""
    usual = ACCESS_TOKEN_SECONDS if subject == "access_token" else REFRESH_TOKEN_SECONDS
    life = usual if seconds is None else seconds
    issued = int(now)
    payload = {"user_id": user_id, "iat": issued, "exp": issued + life, "iss": "velog.io", "sub": subject}
    return tokens.make(payload)


def land_token(now: float, seconds: int = LAND_TOKEN_SECONDS) -> str:
    """A bearer token of the kind that the site's page hands out."""
    return tokens.make({"id": "REALESTATE", "iat": int(now), "exp": int(now) + seconds})


def price_text(manwon: int) -> str:
    """A price in 만원 as the site writes it: 115000 → "11억 5,000", 100500 → "10억 500", 30000 → "3억"."""
    eok, rest = divmod(manwon, 10_000)
    if not eok:
        return f"{rest:,}"
    return f"{eok}억 {rest:,}" if rest else f"{eok}억"


def complexes() -> dict[str, dict[str, Any]]:
    """Complex number → overview, as the site answers it."""
    return {number: _overview(*row) for number, *row in _COMPLEXES}


def complex_list() -> list[dict[str, str]]:
    """Number and name of each complex."""
    return [{"complex_id": row[0], "complex_name": row[1]} for row in _COMPLEXES]


def _overview(*row: Any) -> dict[str, Any]:
    name, households, dongs, approved, low, lease, _ = row
    number = next(entry[0] for entry in _COMPLEXES if entry[1] == name)
    high, lease_high = low + 36_000, lease + 20_000
    return {
        "complexNo": number,
        "complexName": name,
        "complexTypeName": "아파트",
        "complexType": "A01",
        "totalHouseHoldCount": households,
        "totalDongCount": dongs,
        "useApproveYmd": approved,
        "minArea": 114.58,
        "maxArea": 130.55,
        "minPrice": low,
        "maxPrice": high,
        "minLeasePrice": lease,
        "maxLeasePrice": lease_high,
        "minPriceByLetter": price_text(low),
        "maxPriceByLetter": price_text(high),
        "latitude": 37.19921,
        "longitude": 127.114233,
        "realPrice": {
            "tradeType": "A1", "tradeYear": "2025", "tradeMonth": 9, "tradeDate": "27", "dealPrice": low, "floor": 4,
            "representativeArea": 130.0, "exclusiveArea": 96.7283, "formattedPrice": price_text(low),
            "formattedTradeYearMonth": "2025.09.27",
        },
        "pyeongs": [
            {
                "pyeongNo": 1, "supplyArea": "114.58", "pyeongName": "114B", "pyeongName2": "34B",
                "exclusiveArea": "84.83", "exclusivePyeong": "25.66",
            },
        ],
        "dongs": [
            {"dongNo": str(n), "bildName": str(1500 + n), "highFloor": 40, "lowFloor": 1, "sortNo": n}
            for n in range(1, dongs + 1)
        ],
        "complexExistTabs": ["매매", "전세", "월세"],
    }  # fmt: skip


def listings() -> dict[str, dict[str, Any]]:
    """Article number → listing as the site answers it, plus `complexNo`, which the site leaves out of items."""
    rng = random.Random(SEED + 1)
    made: dict[str, dict[str, Any]] = {}
    for number, _, _, _, _, low, lease, count in _COMPLEXES:
        for index in range(count):
            trade = rng.choices(("A1", "B1", "B2"), (5, 3, 2))[0]
            article_no = str(2_553_710_000 + len(made))
            price = _listing_price(rng, trade, low, lease)
            made[article_no] = listing(number, article_no, trade, price, index, rng.randrange(1, 40))
    return made


def many(complexes_: int, each: int) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """A large world: so many complexes of `each` listings; overviews and listings as `complexes` and `listings` give."""
    rng = random.Random(SEED + 2)
    overview = next(iter(complexes().values()))
    overviews: dict[str, dict[str, Any]] = {}
    made: dict[str, dict[str, Any]] = {}
    for number in (str(910_000 + index) for index in range(complexes_)):
        overviews[number] = {**overview, "complexNo": number, "complexName": f"라이브비트 {number}단지"}
        for index in range(each):
            trade = rng.choices(("A1", "B1", "B2"), (5, 3, 2))[0]
            article_no = str(2_600_000_000 + len(made))
            price = _listing_price(rng, trade, 100_000, 50_000)
            made[article_no] = listing(number, article_no, trade, price, index, rng.randrange(1, 40))
    return overviews, made


def _listing_price(rng: random.Random, trade: str, low: int, lease: int) -> str:
    if trade == "B2":
        return f"{price_text(rng.randrange(1, 12) * 1000)}/{rng.randrange(60, 220, 5)}"
    base = low if trade == "A1" else lease
    return price_text(base + rng.randrange(0, 72) * 500)


def listing(complex_no: str, article_no: str, trade: str, price: str, index: int = 0, floor: int = 7) -> dict[str, Any]:
    """One listing with every field that the site sends."""
    trade_name = {"A1": "매매", "B1": "전세", "B2": "월세"}[trade]
    item: dict[str, Any] = {
        "complexNo": complex_no, "articleNo": article_no, "articleName": "아파트", "articleStatus": "R0",
        "realEstateTypeCode": "APT", "realEstateTypeName": "아파트", "articleRealEstateTypeCode": "A01",
        "articleRealEstateTypeName": "아파트", "tradeTypeCode": trade, "tradeTypeName": trade_name,
        "verificationTypeCode": ("OWNER", "MOBL")[index % 2], "floorInfo": f"{floor}/40", "priceChangeState": "SAME",
        "isPriceModification": False, "dealOrWarrantPrc": price, "areaName": ("115A", "114B", "130")[index % 3],
        "area1": (115, 114, 130)[index % 3], "area2": (84, 84, 96)[index % 3],
        "direction": ("남동향", "남향", "남서향")[index % 3],
        "articleConfirmYmd": f"{ANCHOR - timedelta(days=index % 20):%Y%m%d}", "tagList": ["10년이내", "방세개"],
        "buildingName": f"{1501 + index % 6}동", "sameAddrCnt": 1 + index % 6, "sameAddrMaxPrc": price,
        "sameAddrMinPrc": price, "latitude": "37.19921", "longitude": "127.114233",
        "realtorName": f"데모공인중개사사무소{index % 5 + 1}", "realtorId": f"demo{index % 5 + 1}", "cpid": "rets",
        "cpName": "데모정보", "cpPcArticleUrl": f"https://example.com/articles/{article_no}", "siteImageCount": 0,
        "isLocationShow": False, "tradeCheckedByOwner": False, "isDirectTrade": False, "isInterest": False,
        "isComplex": True, "detailAddress": "", "detailAddressYn": "N", "virtualAddressYn": "N", "isVrExposed": False,
        "tradeDongIsUse": False, "cpMobileArticleUrl": "", "cpPcArticleBridgeUrl": "",
    }  # fmt: skip
    if index % 4:
        item["articleFeatureDesc"] = "남향 판상형, 조망 좋은 집"
    return item
