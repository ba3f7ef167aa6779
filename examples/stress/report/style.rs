//! The page's looks: readable on a phone, by day and by night, from this one file.

pub const STYLE: &str = "
:root { color-scheme: light dark; --page: #f7f7f5; --card: #fff; --ink: #1d2125; --soft: #5d666f; --line: #e4e7e9;
  --good: #18794e; --bad: #c62a2f; --open: #8a6100;
  --c0: #2f6fdb; --c1: #c2571a; --c2: #16866f; --c3: #9a3fb5; --c4: #a07d00; --c5: #c13a6b; }
@media (prefers-color-scheme: dark) { :root { --page: #15181b; --card: #1d2125; --ink: #e6e9ec; --soft: #9aa5af; --line: #30373d;
  --good: #4cc38a; --bad: #ff8589; --open: #e3b341;
  --c0: #77a9ff; --c1: #ff9d66; --c2: #4fd1b3; --c3: #d78cf0; --c4: #e5c453; --c5: #ff85ad; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.5rem 1rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .15rem; }
p { margin: 0; } code { font: inherit; white-space: nowrap; } .soft { color: var(--soft); }
.verdict { font-size: 1.1rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); } .open { color: var(--open); }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; margin: 1rem 0; }
section.failed { border-color: var(--bad); }
ul.criteria { list-style: none; margin: .5rem 0 0; padding: 0; }
ul.criteria li { display: grid; grid-template-columns: 4.5rem minmax(0, 5fr) minmax(0, 6fr); gap: 0 1rem; padding: .3rem 0;
  border-top: 1px solid var(--line); overflow-wrap: anywhere; }
ul.criteria b { font-weight: 600; font-size: .9rem; }
ul.criteria + p { margin-top: .5rem; }
.scroll { overflow-x: auto; margin-top: .5rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { text-align: right; padding: .3rem .5rem; border-top: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; border-top: 0; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } th:last-child, td:last-child { padding-right: 0; }
td.text { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }
figure { margin: .75rem 0 0; } figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .25rem; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: .5rem 2rem; }
.broad figure { display: grid; grid-template-columns: minmax(0, 46rem) minmax(12rem, 1fr); gap: 0 1.5rem; align-items: center; }
.broad figcaption { grid-column: 1 / -1; } .broad .legend { flex-direction: column; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font: 13px system-ui, sans-serif; }
.broad svg text { font-size: 10.5px; }
.grid { stroke: var(--line); stroke-width: 1; } .trace { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1rem; font-size: .85rem; color: var(--soft); }
.legend i { display: inline-block; width: .9rem; height: .2rem; border-radius: 2px; margin-right: .4rem; vertical-align: .25rem; }
@media (max-width: 48rem) { .broad figure { display: block; } .broad .legend { flex-direction: row; }
  ul.criteria li { grid-template-columns: 4.5rem minmax(0, 1fr); } ul.criteria li .soft { grid-column: 2; } }
@media (max-width: 32rem) { body { padding: .75rem .5rem; } section { padding: .75rem; }
  ul.criteria li { grid-template-columns: 4.2rem minmax(0, 1fr); gap: 0 .5rem; } svg text, .broad svg text { font-size: 17px; }
  td:first-child { white-space: normal; min-width: 8rem; } }
";
