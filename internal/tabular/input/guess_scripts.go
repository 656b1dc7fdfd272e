package input

import "unicode"

// latin is an alphabet of letters beyond ASCII, in lower case.
func latin(letters string) alphabet { return alphabet{usual: letters, forUsual: 1} }

// western has the letters of all western languages, for lists of people from several countries. The letters of a single
// language score higher.
var western = alphabet{usual: "àáâãäåæçèéêëìíîïñòóôõöøùúûüÿœß", forUsual: 0.8}

// westernAlphabets are those of German, French, Spanish, Portuguese, Italian, Catalan, Danish and Norwegian, Swedish
// and Finnish, Dutch, and Icelandic.
var westernAlphabets = []alphabet{latin("äöüß"), latin("éèêëàâçîïôûùüœæÿ"), latin("áéíóúñü"), latin("áâãàçéêíóôõú"), latin("àèéìòù"), latin("àçèéíïòóúü"),
	latin("æøåéö"), latin("åäöéü"), latin("ëéïöüè"), latin("áðéíóúýþæö"), western}

var centralAlphabets = []alphabet{latin("ąćęłńóśźż"), latin("áčďéěíňóřšťúůýž"), latin("áäčďéíĺľňóôŕšťúýž"), latin("áéíóöőúüű"), latin("ăâîşţ"), latin("čćđšž")}

// scripts are tried in this order. If several read a text equally well, the first one wins.
var scripts = []script{
	{encodings: []string{"windows-1252"}, alphabets: westernAlphabets, cased: true, mixed: true},
	{encodings: []string{"windows-1254"}, alphabets: []alphabet{latin("çğıöşüâîi̇")}, cased: true, mixed: true},
	{encodings: []string{"windows-1250", "iso-8859-2"}, alphabets: centralAlphabets, cased: true, mixed: true},
	{encodings: []string{"iso-8859-15", "macintosh", "ibm850"}, alphabets: westernAlphabets, cased: true, mixed: true},
	{encodings: []string{"ibm852"}, alphabets: centralAlphabets, cased: true, mixed: true},
	{encodings: []string{"windows-1257"}, alphabets: []alphabet{latin("ąčęėįšųūž"), latin("āčēģīķļņšūž"), latin("äöõüšž")}, cased: true, mixed: true},
	{encodings: []string{"windows-1251", "koi8-r", "koi8-u", "ibm866", "iso-8859-5", "x-mac-cyrillic"},
		alphabets: []alphabet{{usual: "оеаинтсрвлкмдпуяії", other: "бгзйхцчшщъыьэюёжфєґўђјљњћџѓќѕ", forUsual: 1, forOther: 0.75}}, cased: true},
	{encodings: []string{"windows-1253", "iso-8859-7"},
		alphabets: []alphabet{{usual: "αβγδεηικλμνοπρστυςάέίό", other: "ζθξφχψωήύώϊϋΐΰ", forUsual: 1, forOther: 0.6}}, cased: true},
	{encodings: []string{"windows-1255"}, alphabets: []alphabet{{usual: "אבהוילמנרשת", other: "גדזחטךכםןסעףפץצק", forUsual: 1, forOther: 0.85}}},
	{encodings: []string{"windows-1256"}, alphabets: []alphabet{{usual: "ابتدرسعلمنهويحف", other: "ثجخذزشصضطظغقكءآأؤإئةىپچژگ،ً", forUsual: 1, forOther: 0.75}}},
	{encodings: []string{"windows-874"}, alphabets: []alphabet{{usual: "กงชดตทนพมยรลวสหอาิีเ่้์ั", other: "ขคจชซญณบปผภศษฯฮะำึืุูแโใไๅๆ็๊๋ธฐถ", forUsual: 1, forOther: 0.5}}},
	{encodings: []string{"shift_jis"}, alphabets: []alphabet{japaneseAlphabet(0.5)}},
	{encodings: []string{"euc-jp"}, alphabets: []alphabet{japaneseAlphabet(0.3)}},
	{encodings: []string{"gbk", "gb18030"}, alphabets: []alphabet{{usual: simplifiedUsual, forUsual: 1, ranges: []*unicode.RangeTable{unicode.Han}, forOther: 0.6}}},
	{encodings: []string{"big5"}, alphabets: []alphabet{{usual: traditionalUsual, forUsual: 1, ranges: []*unicode.RangeTable{unicode.Han}, forOther: 0.6}}},
	{encodings: []string{"euc-kr"}, alphabets: []alphabet{{usual: koreanUsual, forUsual: 1, ranges: []*unicode.RangeTable{hangulSyllables}, forOther: 0.8}}},
}

// japaneseAlphabet has kana and kanji; kanji is the score of an unusual kanji.
func japaneseAlphabet(kanji float64) alphabet {
	return alphabet{usual: kana + japaneseUsual, forUsual: 1, ranges: []*unicode.RangeTable{unicode.Han, halfWidthKana}, forOther: kanji}
}

var (
	halfWidthKana   = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0xff66, Hi: 0xff9f, Stride: 1}}}
	hangulSyllables = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0xac00, Hi: 0xd7a3, Stride: 1}}}
)

const kana = "ぁあぃいぅうぇえぉおかがきぎくぐけげこごさざしじすずせぜそぞただちぢっつづてでとどなにぬねのはばぱひびぴふぶぷへべぺほぼぽまみむめもゃやゅゆょよらりるれろわをん" +
	"ァアィイゥウェエォオカガキギクグケゲコゴサザシジスズセゼソゾタダチヂッツヅテデトドナニヌネノハバパヒビピフブプヘベペホボポマミムメモャヤュユョヨラリルレロワヲンヴー"

// The usual characters are those of common names, places and short texts.
const (
	japaneseUsual    = "田中山川木村本藤高佐佐々伊渡辺加小林吉斎松井上清水野原島崎谷石橋大西東京都区市県府町港新宿北南区宮池岡青岩内安坂森金長竹近前後和平福永沢津浜美子太郎一二三次男恵真由紀奈明智裕健雄介之香愛優翔氏名前姓住所電話番号郵便年月日男女性別会社員顧客会員千葉埼玉神戸横古屋阪海道沖縄広正幸"
	simplifiedUsual  = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严武戴莫孔向汤伟芳娜秀英敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂红华建国文玉海春梅志小东晓鹏飞宇浩北京上海广州深圳南西安成都天津重庆杭武汉省市区县路号街姓名电话手机邮箱地址性别男女年月日的一是不了在人有我他这中大来为和地到以说时要就出会可也你对生能而子那得下自之公司客户会员用"
	traditionalUsual = "王李張劉陳楊黃趙吳周徐孫馬朱胡郭何高林羅鄭梁謝宋唐許韓馮鄧曹彭曾蕭田董袁潘于蔣蔡余杜葉程蘇魏呂丁任沈姚盧姜崔鍾譚陸汪范金石廖賈夏韋方白鄒孟熊秦邱江尹薛侯龍史陶黎賀顧毛郝龔邵萬錢嚴武戴莫孔湯偉芳娜秀英敏靜麗強磊軍洋勇艷杰傑娟濤明超蘭霞平剛桂紅華建國文玉海春梅志小東曉鵬飛宇浩美淑惠雅怡君家豪俊宏台臺北中南高雄新竹香港九龍市縣區路號街姓名電話手機信箱地址性別男女年月日的一是不了在人有我他這大來為和地到以說時要就出會可也你對生能而子那得下自之公司客戶員用"
	koreanUsual      = "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민류나진지엄채원천방공현함변염여추도소석선설마길연위표명기반라왕금옥육인맹제모탁국준호수영희철경상미은혜숙정연아름서울부산대구인천광주시군구동로길번지성명이름전화주소고객회원남녀년월일다는의에가을를은과와한하고있사자리어해"
)
