"""Nothing on a screen moves by itself while what it shows comes in, one answer after the other."""

from playwright.async_api import Page, expect

MOST = 0.02  # of layout shift; people notice more than 0.1

# Each answer is handed to the page when what came before it has been painted.
_WATCHING = """(() => {
    window.moved = [];
    window.coming = 0;
    new PerformanceObserver((list) => {
        for (const one of list.getEntries()) {
            if (one.hadRecentInput) continue;
            const what = one.sources.map(({ node, previousRect, currentRect }) =>
                `${node?.className ?? node?.parentElement?.className}`
                + ` ${previousRect.y} to ${currentRect.y}`);
            window.moved.push([one.value, what.join(", ")]);
        }
    }).observe({ type: "layout-shift", buffered: true });
    window.painted = () => new Promise((done) =>
        requestAnimationFrame(() => requestAnimationFrame(done)));
    const ask = window.fetch;
    let turn = Promise.resolve();
    window.fetch = (...request) => {
        window.coming += 1;
        const answer = ask(...request);
        turn = Promise.allSettled([turn, answer]).then(window.painted);
        return turn.then(() => answer).finally(() => { window.coming -= 1; });
    };
})()"""


async def watch(page: Page) -> None:
    """From its next address on, the page is watched, and gets its answers one by one."""
    await page.add_init_script(_WATCHING)


async def stands_still(page: Page, address: str) -> None:
    """Open this, let all of it come, and see that nothing of it moved."""
    await page.goto(address)
    coming, moved = 1, list[tuple[float, str]]()
    while coming:
        await expect(page.locator(".ghost:visible, [data-settling]")).to_have_count(0)
        coming, moved = await page.evaluate("painted().then(() => [coming, moved])")
    assert sum(value for value, _ in moved) <= MOST, (address, moved)
