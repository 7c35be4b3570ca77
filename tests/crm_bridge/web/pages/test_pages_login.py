"""Logging in, out, and in which language."""

import pytest
from playwright.async_api import expect

from tests.support.browser import log_in
from tests.support.desk_api import PASSWORD
from tests.support.sitting import Sitting

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_wrong_password_says_so_and_keeps_the_name(sitting: Sitting) -> None:
    page = sitting.page
    await page.goto("/login")
    await log_in(page, "li.na", "wrong")
    await expect(page.locator("#login-error")).to_have_text("Name or password is wrong.")
    await expect(page.locator("#name")).to_have_value("li.na")
    await expect(page.locator("#password")).to_be_focused()


async def test_an_empty_form_asks_for_both(sitting: Sitting) -> None:
    await sitting.page.goto("/login")
    await sitting.page.click("[type=submit]")
    await expect(sitting.page.locator("#login-error")).to_have_text("Enter your name and your password.")


async def test_the_right_password_opens_the_desk(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await expect(page.locator("#who")).to_have_text("li.na · 1001")
    await expect(page.locator(".case-row")).to_have_count(5)


async def test_without_a_session_the_desk_leads_to_the_login_and_back(sitting: Sitting) -> None:
    page = sitting.page
    await page.goto("/cases/US-77-0031")
    await page.wait_for_url("**/login?next=*")
    await log_in(page, "li.na", PASSWORD)
    await page.wait_for_url("**/cases/US-77-0031")
    await expect(page.locator("h1")).to_have_text("Eleanor Whitcombe")


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "/\\elsewhere.example"])
async def test_the_login_leads_to_no_other_site(sitting: Sitting, target: str) -> None:
    page = sitting.page
    await page.goto(f"/login?next={target}")
    await log_in(page, "li.na", PASSWORD)
    await page.wait_for_selector(".case-row")
    assert page.url == f"{sitting.origin}/"


async def test_logging_out_ends_the_session_and_forgets_what_was_typed(sitting: Sitting) -> None:
    page = await sitting.log_in()
    await page.evaluate("sessionStorage.setItem('ringfence.disposition.x', '{}')")
    await page.click("#log-out")
    await page.wait_for_url("**/login")
    assert await page.evaluate("sessionStorage.length") == 0
    await page.goto("/")
    await page.wait_for_url("**/login")


@pytest.mark.parametrize("sitting", [{"locale": "zh-CN"}], indirect=True)
async def test_a_chinese_browser_is_greeted_in_chinese(sitting: Sitting) -> None:
    await sitting.page.goto("/login")
    await expect(sitting.page.locator("[type=submit]")).to_have_text("登录")
    await expect(sitting.page.locator("html")).to_have_attribute("lang", "zh-CN")


async def test_the_language_chosen_at_the_login_is_kept_with_the_user(sitting: Sitting) -> None:
    page = sitting.page
    await page.goto("/login")
    await page.click("[data-choose-language=zh]")
    await expect(page.locator("[type=submit]")).to_have_text("登录")
    await log_in(page, "li.na", PASSWORD)
    await expect(page.locator("case-list h2")).to_have_text("我的案件")
    assert sitting.desk.users["li.na"].language == "zh"


async def test_a_user_finds_the_desk_in_the_language_of_the_account(sitting: Sitting) -> None:
    page = await sitting.log_in("wang.fang")
    await expect(page.locator("case-list h2")).to_have_text("我的案件")


async def test_a_role_without_a_phone_reads_the_cases_and_cannot_call(sitting: Sitting) -> None:
    page = await sitting.open_case(name="chen.qa")
    await expect(page.locator("[data-banner=role]")).to_contain_text("Quality")
    await expect(page.locator("call-bar")).to_be_hidden()
    await expect(page.locator(".button-call")).to_have_count(0)
    await expect(page.locator('[data-number="+8613800138000"]')).to_contain_text("May be called now")


async def test_a_collector_without_a_phone_is_told(sitting: Sitting) -> None:
    page = await sitting.open_case(name="no.phone")
    await expect(page.locator("[data-banner=extension]")).to_contain_text("No phone is assigned")
    await expect(page.locator(".button-call")).to_have_count(0)
