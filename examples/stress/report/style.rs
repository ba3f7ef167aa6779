//! The page's looks: readable on a phone, by day and by night, from this one file.

pub const STYLE: &str = "
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --ink: #1d2125; --soft: #5d666f; --line: #dfe3e6;
  --good: #18794e; --bad: #c62a2f; --open: #8a6100; --c0: #2f6fdb; --c1: #c2571a; --c2: #16866f; --c3: #9a3fb5; --c4: #b08a00; --c5: #c13a6b; --c6: #5b6b7b; --c7: #5a9216; }
@media (prefers-color-scheme: dark) { :root { --page: #15181b; --card: #1d2125; --ink: #e6e9ec; --soft: #9aa5af; --line: #343b42;
  --good: #4cc38a; --bad: #ff8589; --open: #e3b341; --c0: #77a9ff; --c1: #ff9d66; --c2: #4fd1b3; --c3: #d78cf0; --c4: #e5c453; --c5: #ff85ad; --c6: #9fb0c0; --c7: #a3d95f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 66rem; padding: 1rem; background: var(--page); color: var(--ink); font: 16px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: .5rem 0 0; } h2 { font-size: 1.1rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); }
.verdict { font-size: 1.1rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: 1rem 0; }
ul.criteria { list-style: none; margin: .5rem 0; padding: 0; }
ul.criteria li { display: grid; grid-template-columns: 4.6rem 1fr; gap: 0 .5rem; padding: .35rem 0; border-top: 1px solid var(--line); }
ul.criteria li:first-child { border-top: 0; }
ul.criteria b { font-weight: 600; } ul.criteria span { grid-column: 2; color: var(--soft); overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .3rem .5rem; border-top: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; border-top: 0; } th:first-child, td:first-child { text-align: left; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
figure { margin: .75rem 0; } figcaption { font-weight: 600; margin-bottom: .25rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); gap: 0 1.5rem; }
.broad { max-width: 46rem; } svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 11px system-ui, sans-serif; }
.grid { stroke: var(--line); stroke-width: 1; } .trace { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: .9rem; height: .2rem; border-radius: 2px; margin-right: .35rem; vertical-align: .25rem; }
@media (max-width: 32rem) { body { padding: .6rem; } section { padding: .75rem; } svg text { font-size: 15px; } }
";
