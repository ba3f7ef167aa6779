// Before the first paint: the theme that was chosen here before. The rest of it is in themes.js.
(() => {
	try {
		const theme = localStorage.getItem('mcp-sessions.theme');
		if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
	} catch {
		// No storage: the system's theme.
	}
})();
