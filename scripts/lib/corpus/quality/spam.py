"""Spam by its words: gambling, pornography, fake documents and the like, counted against the length of a document.

A single such word is as often news or medicine as spam; spam is made of them. The list is short on purpose: words that
hardly anything but spam is full of, in simplified form, and none that other words hold (出款 is in 支出款项).
"""

import re

import polars as pl

from lib.text.chunks import in_pieces
from lib.text.series import character_lengths

_GAMBLING = (
    "时时彩 北京赛车 幸运飞艇 六合彩 彩金 百家乐 老虎机 体验金 首存 返水 洗码 真人视讯 棋牌平台 博彩 娱乐城 "
    "线上赌场 稳赚不赔 代理返点 出款速度 注册送 注册即送 手机下注 足球投注 江苏快三 彩票平台 第一品牌首存 澳门新葡京"
)
_PORNOGRAPHY = "成人电影 无码高清 人妻熟女 激情视频 黄色网站 约炮 援交 裸聊 色情网站"
_PAPERS_AND_LOANS = "代开发票 办证刻章 信用卡套现 无抵押贷款 黑户贷款 秒下款"
_OTHER = "增大增粗 催情药 壮阳药 传奇私服 外挂下载 刷单兼职 刷钻平台 加微信领取 日赚千元 兼职日结"
WORDS = f"{_GAMBLING} {_PORNOGRAPHY} {_PAPERS_AND_LOANS} {_OTHER}".split()
_SPAM = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
PER = 100
"""Characters that words are counted against."""


def spam_density(texts: pl.Series) -> pl.Series:
    """Words of spam per hundred characters of each text."""
    rows, pieces = in_pieces(texts)
    counts = pl.DataFrame({"row": rows, "words": pieces.str.count_matches(_SPAM)}).group_by("row").sum().sort("row")
    return PER * counts["words"] / pl.Series(character_lengths(texts)).clip(lower_bound=1)
