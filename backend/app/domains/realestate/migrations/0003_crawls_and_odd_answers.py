"""`crawl_id` on jobs, answers that no crawl could use, and listings that come back."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("realestate", "0002_run_ids_and_indexes"),
    ]

    operations = [
        migrations.AddField(
            model_name="crawljob",
            name="crawl_id",
            field=models.UUIDField(blank=True, db_index=True, null=True, verbose_name="전체 수집"),
        ),
        migrations.CreateModel(
            name="OddAnswer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("created_at", models.DateTimeField(db_index=True, verbose_name="수신 일시")),
                ("complex_id", models.CharField(max_length=50, verbose_name="단지 번호")),
                (
                    "run_id",
                    models.CharField(blank=True, db_index=True, max_length=64, null=True, verbose_name="실행 ID"),
                ),
                ("step", models.CharField(max_length=50, verbose_name="요청")),
                ("error", models.CharField(max_length=100, verbose_name="오류")),
                ("reason", models.CharField(max_length=500, verbose_name="이유")),
                ("form", models.TextField(blank=True, verbose_name="응답 형식")),
            ],
            options={
                "verbose_name": "비정상 응답",
                "verbose_name_plural": "비정상 응답",
                "db_table": "odd_answers",
            },
        ),
        migrations.AlterField(
            model_name="articlechange",
            name="change_type",
            field=models.CharField(
                choices=[
                    ("NEW", "신규"),
                    ("REMOVED", "삭제"),
                    ("PRICE_UP", "가격 상승"),
                    ("PRICE_DOWN", "가격 하락"),
                    ("RELISTED", "재등록"),
                ],
                db_index=True,
                max_length=20,
                verbose_name="변동",
            ),
        ),
    ]
