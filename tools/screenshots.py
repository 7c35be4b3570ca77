"""Takes the screenshots shown in the docs (`make screenshots`): the demo's floor, a real call, every page, both languages."""

import asyncio
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page

from crm_bridge.demo.cases import CASES
from crm_bridge.demo.floor import demo_floor
from crm_bridge.web import page_table
from tests.support.browser import chromium, log_in, reader
from tools.screenshot_scene import furnish

FOLDER = Path("docs/screenshots")
READERS = {"desk": "collector", "qa": "qa", "supervisor": "supervisor", "admin": "admin"}
"""Who of the demo's people reads the pages of a group."""
LANGUAGES = {"en": ("en-GB", "English", "Will pay half on Friday."), "zh": ("zh-CN", "中文", "周五先还一半。")}
SPEAK = """language => fetch("/v1/session/language", {
  method: "PUT", headers: {"Content-Type": "application/json"}, body: JSON.stringify({language}),
})"""


class Camera:
    """One reader's page, photographed under `<what>-<language>`."""

    def __init__(self, page: Page, language: str) -> None:
        self._page = page
        self._language = language

    async def take(self, what: str) -> None:
        """What is shown now; the desk's pictures are named after the language first, so that they sort together."""
        await self._page.wait_for_load_state("networkidle") if what == "login" else await asyncio.sleep(0.3)
        name = f"login-{self._language}" if what == "login" else f"desk-{self._language}-{what}"
        await self._page.screenshot(path=FOLDER / f"{name}.png")


async def _log_in(page: Page, camera: Camera, password: str, language: str) -> None:
    await page.goto("/login")
    await camera.take("login")
    await log_in(page, "collector", password)
    await page.wait_for_selector("#stream-state[data-state=open]")
    await page.get_by_role("button", name="EN" if language == "en" else "中文").click()


async def _open(page: Page, case_id: str, name: str) -> bool:
    """Open the case; whether its first number may be called now."""
    link = page.locator(f'a[href="/cases/{case_id}"]')
    if not await link.count():
        return False
    await link.click()
    await page.wait_for_selector(f".party >> text={name}")
    await page.wait_for_selector(".button-call, .why-not")
    return await page.locator(".button-call").count() > 0


async def _call(page: Page, camera: Camera, note: str) -> None:
    await page.locator(".button-call").first.click()
    await page.wait_for_selector("call-bar[data-state=connected]", timeout=30_000)
    await page.fill("[name=note]", note)
    await asyncio.sleep(3)
    await camera.take("connected")
    await page.click(".button-hangup")
    await page.wait_for_selector("call-bar[data-state=ended]")
    await page.select_option("[name=action_code]", "PTP")
    await camera.take("disposition")
    await page.keyboard.press("Control+Enter")
    await page.wait_for_selector(".notice-good")
    await camera.take("time-line")


async def _photograph(page: Page, language: str, password: str) -> None:
    camera = Camera(page, language)
    await _log_in(page, camera, password, language)
    refused = False
    for case in CASES:
        callable_now = await _open(page, case.id, case.people[0].name)
        if not callable_now and not refused:
            refused = True
            await camera.take("not-now")
        answers = case.people[0].numbers[0][-2:] in ("02", "05", "06", "07", "12")
        if callable_now and answers:
            await _call(page, camera, LANGUAGES[language][2])
            return
    raise RuntimeError("no case of the demo may be called now")


async def _pages(browser: Browser, base: str, language: str, password: str) -> None:
    """Every page of the table but the desk, as whoever it is for sees it; light in English, dark in Chinese."""
    for group, name in READERS.items():
        async with reader(browser, base, locale=LANGUAGES[language][0], dark=language == "zh") as page:
            await page.goto("/login?next=/deadlines")
            await log_in(page, name, password)
            await page.wait_for_url(lambda url: urlsplit(url).path == "/deadlines")
            await page.evaluate(SPEAK, language)
            for one in page_table.PAGES:
                if one.group == group and one.address != "/":
                    await page.goto(one.address)
                    await page.wait_for_selector("h1")
                    await asyncio.sleep(1.5)
                    if urlsplit(page.url).path != one.address:
                        raise RuntimeError(f"{one.address} led {name} to {page.url}")
                    what = one.template.removesuffix(".html").replace("_", "-")
                    await page.screenshot(path=FOLDER / f"{what}-{language}.png")


async def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    password = secrets.token_urlsafe(9)
    async with demo_floor(password) as base, chromium() as browser:
        for language, (locale, _, _) in LANGUAGES.items():
            async with reader(browser, base, locale=locale) as page:
                await _photograph(page, language, password)
        await furnish(base, password)
        for language in LANGUAGES:
            await _pages(browser, base, language, password)


if __name__ == "__main__":
    asyncio.run(main())
