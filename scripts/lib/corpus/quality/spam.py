"""Spam by its words: gambling, pornography, fake documents and the like, counted against the length of a document.

A single such word is as often news or medicine as spam; spam is made of them. The list is short on purpose: words that
hardly anything but spam is full of, in simplified form, as the text is folded before it is looked at.
"""

import re

import polars as pl

from lib.text.chunks import in_pieces
from lib.text.series import character_lengths

WORDS = (
    # Gambling
    "时时彩 北京赛车 幸运飞艇 六合彩 彩金 百家乐 老虎机 体验金 首存 返水 洗码 真人视讯 棋牌平台 博彩 娱乐城 线上赌场 "
    "开奖结果 稳赚不赔 计划群 代理返点 出款 注册送 下注 足球投注 快三 彩票平台 亚洲第一品牌 澳门新葡京 "
    # Pornography and dating
    "成人电影 无码 有码 人妻 熟女 激情视频 黄色网站 约炮 一夜情 援交 裸聊 色情 "
    # Forged papers, invoices, loans
    "代开发票 办理证件 办证刻章 信用卡套现 无抵押贷款 黑户贷款 秒下款 "
    # Unlicensed medicine, private servers, paid posts
    "增大增粗 迷药 催情 壮阳 私服 外挂下载 刷单 刷钻 加微信领取 日赚 兼职日结"
).split()
_SPAM = "|".join(sorted(map(re.escape, WORDS), key=len, reverse=True))
PER = 100
"""Characters that words are counted against."""


def spam_density(texts: pl.Series) -> pl.Series:
    """Words of spam per hundred characters of each text."""
    rows, pieces = in_pieces(texts)
    counts = pl.DataFrame({"row": rows, "words": pieces.str.count_matches(_SPAM)}).group_by("row").sum().sort("row")
    return PER * counts["words"] / pl.Series(character_lengths(texts)).clip(lower_bound=1)
