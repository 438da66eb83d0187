"""Lines that a web page puts around its text: navigation, copyright, calls to share and to subscribe; advertisements of
sites with novels, which stand inside the text, too.

A line goes only when one of the patterns matches all of it, so that a sentence about copyright or a paragraph with the
word 登录 in it stays. Words that could be a heading (登录, Search) count only where three of them make up a line.
"""

import polars as pl

from lib.text.series import replaced

LONGEST = 120  # characters; a longer line is text, whatever words are in it

_SEPARATOR = r"(?: ?[|｜>›»/·•\-—_,，、\[\]【】] ?| )+"
_NAVIGATION = (
    r"网站首页|返回首页|返回顶部|回到顶部|返回列表|返回上一页|返回上页|返回目录|上一页|下一页|前一页|后一页|上一章|"
    r"下一章|上一篇|下一篇|设为首页|加入收藏|收藏本站|加入书签|加入书架|网站地图|友情链接|联系我们|"
    r"关于我们|免责声明|隐私政策|服务条款|用户协议|在线客服|意见反馈|網站首頁|返回首頁|返回頂部|回到頂部|"
    r"返回列表|上一頁|下一頁|前一頁|後一頁|上一篇|下一篇|設為首頁|加入收藏|網站地圖|友情鏈接|聯繫我們|聯絡我們|關於我們|"
    r"免責聲明|隱私政策|服務條款|"
    r"(?i:back to top|skip to (?:main )?content|skip to navigation|privacy policy|terms of (?:use|"
    r"service)|terms (?:and|&) conditions|cookie policy|about us|contact us|site ?map)"
)
_MAYBE_NAVIGATION = (
    r"首页|首頁|登录|登錄|登入|注册|註冊|退出|搜索|搜尋|导航|新闻|新聞|国内|国际|社会|军事|财经|体育|娱乐|"
    r"科技|汽车|房产|教育|时尚|健康|旅游|游戏|视频|图片|论坛|博客|微博|微信|专题|评论|更多|帮助|手机版|"
    r"电脑版|客户端|会员中心|目录|索引|下载|赞|点赞|收藏|分享|举报|转发|回复|关注|订阅|打印|"
    r"(?i:home|about|contact|news|blog|forum|help|faq|menu|search|log ?in|log ?out|sign ?in|sign ?up|"
    r"register|subscribe|download|downloads|products|services|support|careers|share|like|tweet|print|"
    r"reply|more)"
)
_COUNT = r"(?: ?[(（]?[0-9]{1,6}[)）]?)?"
_SHARE_TARGETS = (
    r"微信|微博|新浪微博|腾讯微博|QQ空间|QQ好友|QQ|朋友圈|人人网|豆瓣|知乎|贴吧|复制链接|Facebook|Twitter|"
    r"LinkedIn|Weibo|WeChat"
)

_SITE = r"域名|网址|小说网|(?:www|wap|m)\.[a-z0-9-]+\.[a-z]{2,4}|\.(?:com|net|org|cc)\b"

_PATTERNS = (
    # Navigation: one sure word, or three that may be anything.
    rf"[\[【]?(?:{_NAVIGATION})[\]】]?(?:{_SEPARATOR}(?:{_NAVIGATION}|{_MAYBE_NAVIGATION}))*",
    rf"[\[【]?(?:{_MAYBE_NAVIGATION}){_COUNT}(?:{_SEPARATOR}(?:{_MAYBE_NAVIGATION}|{_NAVIGATION}){_COUNT}){{2,}}[\]】]?",
    # Of manuals made by Texinfo: [ < 上一节 ] | [ 上 : 章 ] | [ 下一节 > ]
    r"\[ ?<<? ?[^\[\]]*\](?: ?\|? ?\[[^\[\]]*\])+",
    # A position with punctuation but no path is a ship's.
    r"(?:当前位置|當前位置|您的位置|你的位置|您现在的位置|您當前的位置|您所在的位置|所在位置)(?:是)? ?[:：]"
    r"(?:[^。，,]{0,20}|.*(?:首页|首頁|[>›»→]).*)",
    r"(?:上一篇|下一篇|上一章|下一章|上一頁|下一頁|上一页|下一页|前一篇|后一篇) ?[:：].*",
    r"第? ?[0-9]+ ?页?(?:/| ?共 ?)[0-9]+ ?页(?: (?:上一页|下一页|首页|尾页))*",
    # Copyright and registration.
    r"(?i:copyright|copyrights) ?(?:©|\(c\)|（c）|@|[0-9]{4}).*",
    r"(?:©|\(c\)|\(C\)) ?[0-9]{4}.*",
    r"版[权權]所有(?: ?[©:：(（].*| [^。]*)?",
    r"[^。]*(?:(?i:all rights reserved)|保留(?:所有|一切)[权權]利) ?[.。]?",
    r"[^。]*[\p{Han}]ICP[备备证備證] ?[0-9]{5,}.*",
    r"[^。]*公[网網]安[备備] ?[0-9]{8,}.*",
    r"(?:声明[:：]|本文|本站|文章|原创文章[,，])?[^。]{0,12}(?:未经|未經)[^。]{0,16}(?:不得|禁止|严禁|"
    r"请勿|謝絕)(?:擅自|以任何形式)?(?:转载|轉載)[^。]*[。！]?",
    r"(?:欢迎转载[,，]?)?(?:转载|轉載)[^。]{0,8}(?:请|請)(?:务必)?(?:注明|註明|保留)[^。]{0,40}[。！]?",
    r"(?:【纠错】 ?|(?:本文)?来源 ?[:：][^。]{1,20}?)?"
    r"[（(\[【]?(?:责任编辑|責任編輯|责编|編輯|本文编辑|网络编辑|实习编辑) ?[:：][^。]{1,20}[)）\]】]?",
    r"[（(\[【]编辑 ?[:：][^。]{1,20}[)）\]】]",
    # Share, subscribe, download.
    rf"(?:分享到|分享至|转发到|轉發到|分享给好友)[:：]? ?(?:(?:{_SHARE_TARGETS})[ 、|,，]?)*",
    r"(?:微信|手机|请用微信)?(?:扫一扫|扫描|掃描|长按|長按)[^。]{0,12}(?:二维码|二維碼|识别)[^。]{0,10}(?"
    r":关注|關注|分享|下载|下載|加入|添加)[^。]{0,20}",
    r"(?:欢迎|请|記得|记得)?(?:关注|關注|订阅|訂閱)(?:我们|我們|本站|本公众号)?(?:的)?(?:官方)?(?:微信)?(?"
    r":公众号|微博|公眾號|频道)[^。]{0,20}",
    r"(?:点击|點擊)(?:此处|这里|下方|上方)?(?:查看|阅读|閱讀|进入|下载|加载|展开)?(?:更多|全文|原文|大图|"
    r"下一页)(?:内容|>>|»)?",
    r"(?:阅读|閱讀|查看)(?:原文|全文|更多)(?:>>|»)?|(?:展开|收起)(?:全文|全部)",
    r"(?:相关|相關|推荐|推薦|延伸|热门|熱門|最新|热点|精彩)(?:阅读|閱讀|推荐|推薦|新闻|新聞|文章|链接|"
    r"資訊|资讯) ?[:：]?|猜你喜欢|你可能也喜欢|大家都在看",
    rf"(?:发表|發表|我要|添加|网友|查看全部|全部|最新)(?:评论|評論|留言|跟帖){_COUNT}",
    r"(?:评论|評論) ?[(（][0-9]{1,6}[)）]|[0-9]{1,6} ?条评论.{0,3}[0-9]{1,6} ?人参与.{0,6}|已输入 ?[0-9]{1,4} ?字",
    rf"[^。]{{0,20}}(?:天才)?一秒记住[^。]{{0,40}}(?:本站|{_SITE}|【)[^。]{{0,40}}。?|本章未完[^。]{{0,30}}",
    rf"[^。]{{0,10}}请记住本[站书].*(?:{_SITE}).*|手机版?(?:阅读|访问)?(?:网址|地址)[:：].*",
    r"手机(?:用户|阅读)?(?:请)?(?:浏览|访问)[^。]{0,60}阅读[^。]{0,30}",
    # English.
    r"(?i:(?:this|our) (?:web)?site uses cookies\b.*|(?:accept|reject|manage) (?:all )?cookies)",
    r"(?i:(?:please )?enable javascript\b.*|javascript is (?:disabled|required)\b.*)",
    r"(?i:subscribe to (?:our|the) (?:newsletter|mailing list|blog)[^.]*[.!]?|sign up for (?:our|"
    r"the) newsletter[^.]*[.!]?)",
    r"(?i:follow us on [^.]{1,40}[.!]?|share (?:this|on)(?: (?:page|post|article|facebook|twitter|"
    r"linkedin|weibo|wechat))+:?)",
    r"(?i:click here to [^.]{1,40}[.!]?|(?:read|show|load) more(?: ?(?:»|>>|\.\.\.|…))?|"
    r"powered by [^.]{1,30}|advertisement)",
)
_BOILERPLATE = "^(?:" + "|".join(_PATTERNS) + ")$"

# Whatever a pattern can match holds one of these; finding them is fast.
HAS_BOILERPLATE = (
    r"首页|首頁|返回|回到顶部|回到頂部|上一|下一|前一[篇页頁]|[后後]一[篇页頁]|\[ ?<|目录|已输入|跟帖|"
    r"收藏|加入书|网站地图|網站地圖|链接|鏈接|"
    r"我们|我們|声明|聲明|隐私|隱私|服务条款|服務條款|协议|客服|反馈|位置|[0-9] ?页|©|\([cC]\)|"
    r"版[权權]所有|权利|權利|ICP|安[备備]|[转轉][载載发發]|复制|摘编|编辑|編輯|责编|分享|二维码|二維碼|"
    r"识别|关注|關注|[订訂][阅閱]|[点點][击擊]|[阅閱][读讀]|查看|展开|收起|相关|相關|推荐|推薦|热门|熱門|"
    r"最新|热点|精彩|猜你|喜欢|大家都|评论|評論|留言|记住|本章|登录|登錄|登入|注册|註冊|搜索|搜尋|导航|"
    r"新闻|新聞|国内|财经|体育|论坛|博客|下载|(?:www|wap|m)\.[a-z0-9]|未完待续|手机版?(?:阅读|访问)?(?:网址|地址)|"
    r"(?i:copyright|rights reserved|back to|skip to|privacy|terms|cookie|about|contact|site ?map|home|"
    r"search|log ?in|sign ?in|sign ?up|subscri|follow us|share|click here|more|powered by|advert|"
    r"javascript|menu|help|like)"
)

# Inside a sentence: the name of a site in letters or of a known kind, with its address; a hint to turn the page.
_ADVERTISEMENT = (
    r"[A-Za-z0-9]{0,4}(?:读书|看书|小说|文学|书库|书吧|书屋|中文|笔趣阁|顶点)网? ?[:：,，]? ?"
    r"(?:https?://)?(?:www|wap|m)\.[a-z0-9-]+\.(?:com|net|org|cc|cn|la|info|me|so|tw)(?:\.cn)? ?"
    r"|[(（【\[](?:本章未完|未完待续)[^)）】\]\n]{0,20}[)）】\]]"
)


def strip_boilerplate(texts: pl.Series) -> pl.Series:
    """Take out lines that are nothing but boilerplate, and advertisements inside others."""
    kept = texts.str.replace_all(_ADVERTISEMENT, "")
    lines = pl.DataFrame({"text": kept.str.split("\n")}).with_row_index("row").explode("text")
    text = lines["text"]
    doubtful = ((text.str.len_chars() <= LONGEST) & text.str.contains(HAS_BOILERPLATE)).arg_true()
    boilerplate = doubtful.filter(text.gather(doubtful).str.contains(_BOILERPLATE))
    if len(boilerplate):
        without = (
            lines.with_columns(is_kept=pl.repeat(True, len(lines), eager=True).scatter(boilerplate, False))
            .filter(pl.col("row").is_in(lines["row"].gather(boilerplate).unique().implode()))
            .group_by("row", maintain_order=True)
            .agg(pl.col("text").filter(pl.col("is_kept")).str.join("\n"))
        )
        kept = replaced(kept, without["row"], without["text"])
    # The empty lines on both sides of a line that is gone would be two. Code may have two of its own.
    tidy = kept.str.replace_all("\n\n\n+", "\n\n").str.strip_chars("\n")
    return texts.zip_with(texts == kept, tidy)
