"""The back office's request table of May 2026: `initial` again, so that a database that has it may keep it."""

import django.db.models.deletion
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ("velog", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name='StatsRefreshRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='생성 일시')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='수정 일시')),
                ('request_id', models.UUIDField(default=uuid.uuid4, unique=True, verbose_name='요청 ID')),
                ('status', models.CharField(choices=[('QUEUED', '대기'), ('PROCESSING', '처리 중'), ('SUCCESS', '성공'), ('FAILED', '실패'), ('DLQ', '포기')], default='QUEUED', max_length=16, verbose_name='상태')),
                ('retry_count', models.PositiveSmallIntegerField(default=0, verbose_name='재시도')),
                ('reclaimed_count', models.PositiveSmallIntegerField(default=0, verbose_name='회수')),
                ('last_error', models.TextField(blank=True, default='', verbose_name='마지막 오류')),
                ('finished_at', models.DateTimeField(blank=True, null=True, verbose_name='종료 일시')),
                ('requested_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='requested_stats_refreshes', to='velog.user')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='stats_refresh_requests', to='velog.user')),
            ],
            options={
                'verbose_name': '통계 새로고침 요청',
                'verbose_name_plural': '통계 새로고침 요청',
                'db_table': 'ops_tracking_statsrefreshrequest',
                'indexes': [models.Index(fields=['status', '-created_at'], name='ops_srr_status_created_idx')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('status__in', ['QUEUED', 'PROCESSING'])), fields=('user',), name='uniq_inflight_per_user')],
            },
        ),
    ]
