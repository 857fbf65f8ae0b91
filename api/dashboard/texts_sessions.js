// What is said of names of sessions (texts.js).

export const texts = {
	session_number: ["Session {n}", "सत्र {n}"],
	session_name: ["Name of the session", "सत्र का नाम"],
	name_session: ["Name this session", "इस सत्र को नाम दें"],
	save: ["Save", "सहेजें"],
	cancel: ["Cancel", "रद्द करें"],
	colour: ["Colour", "रंग"],
	colour_any: ["Any colour", "कोई भी रंग"],
	colour_red: ["Red", "लाल"],
	colour_orange: ["Orange", "नारंगी"],
	colour_yellow: ["Yellow", "पीला"],
	colour_green: ["Green", "हरा"],
	colour_teal: ["Teal", "फ़िरोज़ी"],
	colour_blue: ["Blue", "नीला"],
	colour_purple: ["Purple", "बैंगनी"],
	colour_pink: ["Pink", "गुलाबी"],
};
