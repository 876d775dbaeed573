"""The back office's tables as they were before May 2026, so that `migrate --fake-initial` takes them over."""

import app.domains.velog.models
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='생성 일시')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='수정 일시')),
                ('velog_uuid', models.UUIDField(unique=True, verbose_name='velog UUID')),
                ('access_token', models.TextField(verbose_name='access token')),
                ('refresh_token', models.TextField(verbose_name='refresh token')),
                ('group_id', models.IntegerField(default=app.domains.velog.models.random_group, verbose_name='그룹')),
                ('email', models.EmailField(blank=True, max_length=254, null=True, verbose_name='이메일')),
                ('username', models.CharField(blank=True, max_length=255, null=True, verbose_name='사용자 이름')),
                ('thumbnail', models.CharField(blank=True, max_length=255, null=True, verbose_name='프로필 이미지')),
                ('is_active', models.BooleanField(default=True, verbose_name='활성')),
                ('newsletter_subscribed', models.BooleanField(default=True, verbose_name='뉴스레터 구독')),
            ],
            options={
                'verbose_name': 'velog 사용자',
                'verbose_name_plural': 'velog 사용자',
                'db_table': 'users_user',
            },
        ),
        migrations.CreateModel(
            name='QRLoginToken',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('token', models.CharField(db_index=True, max_length=10, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='생성 일시')),
                ('expires_at', models.DateTimeField(default=app.domains.velog.models.in_five_minutes, verbose_name='만료 일시')),
                ('is_used', models.BooleanField(default=False, verbose_name='사용됨')),
                ('ip_address', models.CharField(blank=True, max_length=45, null=True)),
                ('user_agent', models.CharField(blank=True, max_length=255, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='qr_login_tokens', to='velog.user')),
            ],
            options={
                'verbose_name': 'QR 로그인 코드',
                'verbose_name_plural': 'QR 로그인 코드',
                'db_table': 'users_qrlogintoken',
            },
        ),
        migrations.CreateModel(
            name='Post',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='생성 일시')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='수정 일시')),
                ('post_uuid', models.UUIDField(unique=True, verbose_name='velog 게시글 UUID')),
                ('title', models.CharField(max_length=255, verbose_name='제목')),
                ('is_active', models.BooleanField(default=True, verbose_name='활성')),
                ('slug', models.CharField(blank=True, max_length=500, null=True, verbose_name='슬러그')),
                ('released_at', models.DateTimeField(blank=True, null=True, verbose_name='발행 일시')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='posts', to='velog.user')),
            ],
            options={
                'verbose_name': '게시글',
                'verbose_name_plural': '게시글',
                'db_table': 'posts_post',
            },
        ),
        migrations.CreateModel(
            name='PostDailyStatistics',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True, verbose_name='생성 일시')),
                ('updated_at', models.DateTimeField(auto_now=True, verbose_name='수정 일시')),
                ('date', models.DateTimeField(verbose_name='날짜 (한국 자정)')),
                ('daily_view_count', models.PositiveIntegerField(default=0, verbose_name='조회수 (누적)')),
                ('daily_like_count', models.PositiveIntegerField(default=0, verbose_name='좋아요 (누적)')),
                ('post', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='daily_statistics', to='velog.post')),
            ],
            options={
                'verbose_name': '일별 통계',
                'verbose_name_plural': '일별 통계',
                'db_table': 'posts_postdailystatistics',
                'indexes': [models.Index(fields=['post', '-date'], name='posts_pds_post_date_idx')],
            },
        ),
    ]
