// What QuickJS does not have and code in JavaScript takes for granted: TextEncoder, TextDecoder, console, crypto, and a
// Math.random that differs from instance to instance. First of all imports, because modules use these when they begin.

import "./text.js";
import "./console.js";
import "./random.js";
