// Contains the texts of errors (server/failures.js) and of the keyboard shortcuts (texts.js).

export const texts = {
	error_asked: ["The server did not accept this.", "सर्वर ने इसे नहीं माना।"],
	error_gone: ["This is not there any more.", "यह अब यहाँ नहीं है।"],
	error_broken: ["Something broke in the server. Its log says what.", "सर्वर में गड़बड़ी हुई। विवरण उसके लॉग में है।"],
	error_away: ["No answer just now. Try again soon.", "अभी जवाब नहीं। थोड़ी देर में फिर कोशिश करें।"],
	error_busy: ["Too much at once. Try again soon.", "एक साथ बहुत ज़्यादा। थोड़ी देर में फिर कोशिश करें।"],
	error_forbidden: ["You may not do this.", "आपको इसकी अनुमति नहीं है।"],
	error_recipient: ["This number cannot get messages.", "इस नंबर पर संदेश नहीं भेजा जा सकता।"],
	error_file: ["This file cannot be sent.", "यह फ़ाइल नहीं भेजी जा सकती।"],
	error_gateway: ["No gateway is set up for this.", "इसके लिए कोई गेटवे नहीं है।"],
	error_broad: ["Nearly every message has these words.", "ये शब्द लगभग हर संदेश में हैं।"],
	error_large: ["Too much for one file. Choose a shorter period.", "एक फ़ाइल के लिए बहुत ज़्यादा। छोटी अवधि चुनें।"],
	error_old: ["The history has changed. Reload the page.", "इतिहास बदल गया है। पेज फिर लोड करें।"],
	error_name: ["Choose another name.", "दूसरा नाम चुनें।"],
	error_other: ["That did not work ({status}).", "यह नहीं हो पाया ({status})।"],
	gateway_reason: ["What the gateway said", "गेटवे ने क्या कहा"],
	not_settled: ["The gateway does not know it either.", "गेटवे को भी पता नहीं।"],
	dismiss: ["Dismiss", "हटाएँ"],
	probably_arrived: ["Probably arrived: same text at {time}", "शायद पहुँच गया: यही टेक्स्ट {time} पर"],

	shortcuts: ["Keyboard shortcuts", "कीबोर्ड शॉर्टकट"],
	key_list: ["Move in the list, open", "सूची में चलें, खोलें"],
	key_next: ["Previous or next chat", "पिछली या अगली चैट"],
	key_waiting: ["The chat that waits longest", "सबसे देर से इंतज़ार करती चैट"],
	key_line: ["New line", "नई पंक्ति"],
};
