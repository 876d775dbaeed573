"""What is watched, prices to search by, deliveries of changes, and where a real trade took place."""

import django.db.models.deletion
from django.db import migrations, models

from app.domains.realestate.prices import PriceTextError, parse_price

BATCH = 1000


def read_prices(apps, schema_editor):
    """The amount of each listing's price text, which the crawls write from now on."""
    Article = apps.get_model("realestate", "Article")
    rows = []
    for row in Article.objects.exclude(price=None).only("id", "price").iterator(BATCH):
        try:
            row.price_amount = parse_price(row.price).amount
        except PriceTextError:
            continue
        rows.append(row)
        if len(rows) == BATCH:
            Article.objects.bulk_update(rows, ["price_amount"], batch_size=200)
            rows = []
    Article.objects.bulk_update(rows, ["price_amount"], batch_size=200)


class Migration(migrations.Migration):

    dependencies = [
        ("realestate", "0003_crawls_and_odd_answers"),
    ]

    operations = [
        migrations.AddField(
            model_name="complex",
            name="is_watched",
            field=models.BooleanField(db_default=True, default=True, verbose_name="수집 대상"),
        ),
        migrations.AddField(
            model_name="article",
            name="price_amount",
            field=models.BigIntegerField(blank=True, null=True, verbose_name="가격 (만원)"),
        ),
        migrations.CreateModel(
            name="ChangeDelivery",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=20, verbose_name="채널")),
                ("delivered_at", models.DateTimeField(verbose_name="전송 일시")),
                (
                    "change",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="realestate.articlechange",
                        verbose_name="변동",
                    ),
                ),
            ],
            options={
                "verbose_name": "변동 전송",
                "verbose_name_plural": "변동 전송",
                "db_table": "change_deliveries",
                "constraints": [
                    models.UniqueConstraint(fields=["change", "channel"], name="change_deliveries_once_a_channel")
                ],
            },
        ),
        migrations.AlterField(
            model_name="transaction",
            name="complex",
            field=models.ForeignKey(
                blank=True,
                db_column="complex_id",
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="transactions",
                to="realestate.complex",
                to_field="complex_id",
                verbose_name="단지",
            ),
        ),
        *[
            migrations.AddField(
                model_name="transaction",
                name=name,
                field=models.CharField(blank=True, max_length=length, null=True, verbose_name=label, **more),
            )
            for name, length, label, more in (
                ("region_code", 5, "지역 코드", {}),
                ("apartment_name", 200, "아파트명", {}),
                ("legal_dong", 100, "법정동", {}),
                ("jibun", 50, "지번", {}),
                ("building_name", 100, "동", {}),
                ("cancelled_on", 8, "해제일", {}),
                ("trade_key", 64, "거래 키", {"unique": True}),
            )
        ],
        migrations.AddField(
            model_name="transaction",
            name="build_year",
            field=models.IntegerField(blank=True, null=True, verbose_name="건축 연도"),
        ),
        migrations.RunPython(read_prices, migrations.RunPython.noop),
    ]
