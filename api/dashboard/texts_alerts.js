// Contains the texts of notifications (texts.js).

export const texts = {
	notifications: ["Notifications", "सूचनाएँ"],
	notify_on: ["Notify me on this device", "इस डिवाइस पर सूचना दें"],
	notify_sound: ["With a sound", "आवाज़ के साथ"],
	notify_text: ["Show the text, also on a locked screen", "टेक्स्ट भी दिखाएँ, लॉक स्क्रीन पर भी"],
	notifications_refused: ["This browser does not allow notifications of this page.", "ब्राउज़र इस पेज की सूचनाएँ नहीं दिखाता।"],
	notifications_need_https: ["Notifications need https and, on an iPhone, this page on the home screen.", "सूचनाओं के लिए https चाहिए; iPhone में पेज होम स्क्रीन पर जोड़ें।"],
	notified_always: ["You are told also while this page is closed.", "पेज बंद होने पर भी सूचना मिलेगी।"],
	notified_while_open: ["You are told while this page is open in a tab.", "जब तक पेज किसी टैब में खुला है, सूचना मिलेगी।"],
	mute: ["No notifications on this device", "इस डिवाइस पर सूचना नहीं"],
	unmute: ["Notifications again", "फिर सूचना दें"],
};
