"""The filters of `dashboard.words` for amounts and counts."""

from django import template

from dashboard import words

register = template.Library()

for write in (words.usd, words.less, words.exact_usd, words.tokens, words.percent_change):
    register.filter(write.__name__, write)
